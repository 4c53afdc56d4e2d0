"""The process that starts agents and looks after them: a thread for each run, and one that takes runs from the queue.

All that another supervisor needs to go on is in rows and in the run's folder.
"""
