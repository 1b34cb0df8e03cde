"""Compares Featx with what a user would otherwise write: same images, nets and threads, in one run.

Every row is a separate program in a separate process, measured from outside (`measured`): its output does not count,
only the rows in its Parquet files and when those were written. Rows of one net take turns, round after round, and
medians are reported, so that a machine that slows down does not favour any of them.
"""
