"""The life of a command, as both ends see it: when one is taken, what may become of it, which of them goes next.

Pure: `admission` judges one that came, `lifecycle` says what may become of one, `desk` decides over all of a device,
`seen` merges what a console hears. Journals, threads and operations are elsewhere and are handed what is decided here.
"""
