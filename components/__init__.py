"""The steps as KFP components: each unpacks its artifacts, calls one function, and writes its output artifact.

Nothing is imported here, since the bodies import `running` from a kfp that has no decorators at run time.
"""
