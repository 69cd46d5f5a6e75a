"""The science: readers, motion, extrapolation, contours, images, scores. It knows no engine.

Enters: radar files, or NumPy fields as a `Grid`. Leaves: grids, polygons, pictures, numbers.
Goes wrong: `DataError` that names the file or field and what was expected of it.
"""
