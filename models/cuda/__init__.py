"""The GPU: one owner of the retained primary context, memory that is allocated once, and kernels of ours."""
