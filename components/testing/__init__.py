"""For tests of backends, ours and third parties': a pretend engine, a pretend cloud, and the promises.

`engine` runs a program and keeps the graph of what it registers, `cloud` says what a cloud would compute, and
`promises` holds what every registry and every orchestrator must keep. See "Adding a backend" in docs/.
"""
