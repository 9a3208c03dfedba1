module switchyard/app

go 1.26
