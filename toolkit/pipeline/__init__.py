"""All stages in one call: a run of several networks, a classifier learned in three lines, the notebooks in order."""
