"""The way out: change any resource that Switchyard makes, without changing Switchyard.

Each function in TRANSFORMS is called for every resource, also for those inside pulumi-eks, before it is registered:

    def keep_forever(type_, name, props, opts):
        if type_ == "aws:ecr/lifecyclePolicy:LifecyclePolicy":
            opts.retain_on_delete = True
        return props, opts

    TRANSFORMS = [keep_forever]

`type_` is the type token, `name` the logical name, `props` the inputs (a dict with camelCase keys), `opts` the
`pulumi.ResourceOptions`. Return both, changed or not; `None` leaves the resource as it is.
"""

from components.transform import Transform

TRANSFORMS: list[Transform] = []
