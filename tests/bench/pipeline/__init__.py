"""Featx beside what a user would otherwise write: the same images, nets and threads, in one run.

Each row is a program of its own in a process of its own, measured from outside (`measured`): what it printed or claims
does not count, only the rows in its Parquet files and when those were written. Rows of one net take turns, round after
round, and medians are told, so that a machine that gets slower does not favour one of them.
"""
