"""Images with reports: a late-fusion classifier, and forgetting by subject after Forget-MI (arXiv 2506.23145).

A study on generated pairs, for no public set of images with reports is at hand; it has no workflow file.
"""
