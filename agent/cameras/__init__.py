"""Cameras: whatever shows a lane, behind one port, each able to vanish, hang or go black without stopping the rest."""
