"""What is measured: a file for each kind of work, each told as data by `workloads` and `trial`."""
