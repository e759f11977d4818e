"""Labelling in the browser: the local page of ``mmpolar studio``, its project, jobs and exports.

Needs the runtime's packages, Starlette and uvicorn: no PyTorch. Training runs as a process of its own.
"""
