"""DARTS, the CASA network's own motion estimate: one least-squares fit in the Fourier domain.

A sequence of equally spaced frames enters, a field of displacement per step leaves. The equation of motion
``dF/dt = -u dF/dx - v dF/dy`` is written for the low-order Fourier coefficients of the frames and of the
fields `u` and `v`; products become convolutions, so that the coefficients of `u` and `v` solve a linear system
(Ruzanski, Chandrasekar and Wang 2011, J. Atmos. Oceanic Technol. 28, 640-655, Eqs. 3-8).
With nothing to see the result is zero, never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["darts"]

DAMPING = 0.02


def darts(
    frames: NDArray[np.float32], nodes: tuple[int, int], *, waves: int = 25, times: int = 3, modes: int = 2
) -> NDArray[np.float32]:
    """Return the displacement per step, in columns and rows, ``(*nodes, 2)``.

    Parameters
    ----------
    frames
        ``(nt, ny, nx)``, at least two, oldest first, without NaN.
    nodes
        Rows and columns of the result, whose nodes are the centres of equal blocks of the grid.
    waves, times
        Highest wave numbers of the frames used, in space and time.
    modes
        Highest wave number of the motion: the larger, the finer its detail.
    """
    steps, ny, nx = len(frames) - 1, *frames.shape[1:]
    high = min(modes, (min(ny, nx) - 1) // 4)
    wide_y, wide_x = min(waves, (ny - 1) // 2 - high), min(waves, (nx - 1) // 2 - high)
    wide_t = min(times, (steps - 1) // 2)
    # The change from frame to frame and the mean of both, instead of a derivative in the Fourier domain: that
    # would take the last frame to be followed by the first, and see half the motion of a short sequence.
    spectrum = np.fft.fftn((frames[1:] + frames[:-1]) / 2)
    change = np.fft.fftn(frames[1:] - frames[:-1])
    kt, ky, kx = (
        a.ravel() for a in np.mgrid[-wide_t : wide_t + 1, -wide_y : wide_y + 1, -wide_x : wide_x + 1]
    )
    py, px = (a.ravel() for a in np.mgrid[-high : high + 1, -high : high + 1])
    # The unknowns are Fourier coefficients of a real field: p and -p are conjugate, so half of them do.
    half = np.flatnonzero((py > 0) | ((py == 0) & (px >= 0)))
    columns = []
    for p in half:
        pair = [(py[p], px[p])] + ([(-py[p], -px[p])] if py[p] or px[p] else [])
        shifted = [(spectrum[kt, ky - qy, kx - qx], ky - qy, kx - qx) for qy, qx in pair]
        for number, size in ((2, nx), (1, ny)):
            terms = [s[0] * s[number] / size for s in shifted]
            columns.append(sum(terms))  # cosine part
            columns.append(1j * (terms[0] - terms[-1]))  # sine part; zero for the mean
    matrix = np.stack(columns, axis=1)
    target = 1j / (2 * np.pi) * change[kt, ky, kx]
    # The normal equations in real numbers: a handful of unknowns, thousands of rows.
    normal = (matrix.conj().T @ matrix).real
    right = (matrix.conj().T @ target).real
    # Where there is no echo nothing binds the finer modes: keep them small (Tikhonov), the mean free.
    wave = np.repeat(py[half] ** 2 + px[half] ** 2, 4)
    normal += DAMPING * np.diag(wave * np.trace(normal) / len(normal))
    solution = np.linalg.lstsq(normal, right, rcond=1e-8)[0].reshape(len(half), 2, 2)
    return _field(solution, py[half], px[half], nodes)


def _field(
    solution: NDArray[np.float64], py: NDArray[np.int_], px: NDArray[np.int_], nodes: tuple[int, int]
) -> NDArray[np.float32]:
    """Sum the modes ``(modes, component, cosine or sine)`` at the centres of the blocks."""
    y, x = (2 * np.pi * (np.arange(n) + 0.5) / n for n in nodes)
    phase = py[:, None, None] * y[None, :, None] + px[:, None, None] * x[None, None, :]
    waves = np.stack([np.cos(phase), -np.sin(phase)], axis=-1)
    factor = np.where((py == 0) & (px == 0), 1.0, 2.0)
    field = np.einsum("mcw,mijw,m->ijc", solution, waves, factor)
    smooth: NDArray[np.float32] = field.astype("f4")
    return smooth
