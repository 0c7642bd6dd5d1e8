"""Methods of forgetting: one file each, behind one signature.

Nothing is imported here: a workflow pays for the method that it uses.
"""
