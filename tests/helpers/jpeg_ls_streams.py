"""Write JPEG-LS as ISO/IEC 14495-1 Annex A has it, sample by sample, in its rare forms too.

It is slow and shares nothing with dicodec or CharLS, so both can be held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

type Pixels = np.ndarray[Any, Any]
type Lines = list[list[int]]

_RESET = 64
_RUN_BITS = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, *range(8, 16)]


def write_jpeg_ls(
    pixels: Pixels,
    precision: int,
    near: int = 0,
    *,
    interleave: int = 2,
    maximum: int = 0,
    thresholds: Sequence[int] = (0, 0, 0),
    fill: int = 0,
) -> bytes:
    """Return a stream of samples.

    Args:
        pixels: (rows, columns) or (rows, columns, components), unsigned.
        precision: bits of a sample.
        near: NEAR.
        interleave: ILV of several components: 0 by scan, 1 by line, 2 by sample.
        maximum: MAXVAL, stated if it is not 0.
        thresholds: T1, T2 and T3; each is stated if it is not 0.
        fill: bytes FF before each marker but SOI.
    """
    planes = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    rows, columns, components = planes.shape
    found = find_thresholds(maximum or (1 << precision) - 1, near)
    used = [stated or own for stated, own in zip(thresholds, found, strict=True)]
    ids = range(1, components + 1)
    head = bytes((precision, *rows.to_bytes(2), *columns.to_bytes(2), components))
    segments = [(0xF7, head + b"".join(bytes((one, 0x11, 0)) for one in ids), b"")]
    if maximum or any(thresholds):
        stated = b"".join(value.to_bytes(2) for value in (maximum, *thresholds, 0))
        segments.append((0xF8, b"\1" + stated, b""))
    scans = [[one - 1] for one in ids] if components == 1 or not interleave else [[0, 1, 2]]
    for scan in scans:
        coder = _Scan(maximum or (1 << precision) - 1, near, used)
        lines = [[[0, *planes[y, :, one].tolist(), 0] for one in scan] for y in range(rows)]
        data = coder.write(lines, columns, by_line=len(scan) == 1 or interleave == 1)
        listed = b"".join(bytes((one + 1, 0)) for one in scan)
        mode = interleave if len(scan) > 1 else 0
        segments.append((0xDA, bytes((len(scan), *listed, near, mode, 0)), data))
    filling = b"\xff" * fill
    stream = b"\xff\xd8"
    for marker, body, data in segments:
        stream += filling + bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body + data
    return stream + filling + b"\xff\xd9"


def find_thresholds(maximum: int, near: int) -> list[int]:
    """Return T1, T2 and T3 of the standard (C.2.4.1.1.1)."""
    thresholds: list[int] = []
    lowest = near + 1
    for basic, least, step in ((3, 2, 3), (7, 3, 5), (21, 4, 7)):
        if maximum >= 128:
            factor = (min(maximum, 4095) + 128) // 256
            threshold = factor * (basic - least) + least + step * near
        else:
            threshold = max(least, basic // (256 // (maximum + 1)) + step * near)
        lowest = threshold if lowest <= threshold <= maximum else lowest
        thresholds.append(lowest)
    return thresholds


class _Scan:
    """The state of a scan; the letters are those of the standard."""

    def __init__(self, maximum: int, near: int, thresholds: Sequence[int]) -> None:
        self.maximum, self.near, self.step = maximum, near, 2 * near + 1
        self.thresholds = thresholds
        self.range = (maximum + 2 * near) // self.step + 1
        self.bits = (self.range - 1).bit_length()
        bits = max(2, maximum.bit_length())
        self.limit = 2 * (bits + max(8, bits))
        first = max(2, (self.range + 32) // 64)
        self.a, self.b, self.c, self.n = [first] * 367, [0] * 365, [0] * 365, [1] * 367
        self.nn = [0, 0]
        self.run_index = [0, 0, 0]
        self.out: list[str] = []

    def write(self, image: list[Lines], columns: int, *, by_line: bool) -> bytes:
        above = [[0] * (columns + 2) for _ in image[0]]
        for lines in image:
            for line, up in zip(lines, above, strict=True):
                line[0], up[-1] = up[1], up[-2]
            if by_line:
                for part, (line, up) in enumerate(zip(lines, above, strict=True)):
                    self._write_line([line], [up], columns, part)
            else:
                self._write_line(lines, above, columns, 0)
            above = lines
        return _stuff("".join(self.out))

    def _write_line(self, lines: Lines, above: Lines, columns: int, part: int) -> None:
        x = 1
        while x <= columns:
            contexts = [
                self._find_context(one, up, x) for one, up in zip(lines, above, strict=True)
            ]
            if not any(contexts):
                x = self._write_run(lines, above, x, columns, part)
                continue
            for line, up, context in zip(lines, above, contexts, strict=True):
                self._write_sample(line, up, x, context)
            x += 1

    def _find_context(self, line: list[int], up: list[int], x: int) -> int:
        gradients = (up[x + 1] - up[x], up[x] - up[x - 1], up[x - 1] - line[x - 1])
        one, two, three = map(self._quantize_gradient, gradients)
        return 81 * one + 9 * two + three

    def _quantize_gradient(self, gradient: int) -> int:
        size = abs(gradient)
        if size <= self.near:
            return 0
        level = 1 + sum(size >= threshold for threshold in self.thresholds)
        return level if gradient > 0 else -level

    def _quantize(self, error: int) -> int:
        size = (abs(error) + self.near) // self.step
        error = size if error > 0 else -size
        if error < 0:
            error += self.range
        return error - self.range if error >= (self.range + 1) // 2 else error

    def _reconstruct(self, prediction: int, error: int) -> int:
        sample = prediction + error * self.step
        if sample < -self.near:
            sample += self.range * self.step
        elif sample > self.maximum + self.near:
            sample -= self.range * self.step
        return min(max(sample, 0), self.maximum)

    def _find_k(self, total: int, count: int) -> int:
        k = 0
        while count << k < total:
            k += 1
        return k

    def _write_code(self, mapped: int, k: int, limit: int) -> None:
        zeros, stop = mapped >> k, limit - self.bits - 1
        if zeros < stop:
            self.out.append("0" * zeros + "1" + (f"{mapped & ((1 << k) - 1):0{k}b}" if k else ""))
        else:
            self.out.append("0" * stop + "1" + f"{mapped - 1:0{self.bits}b}")

    def _write_sample(self, line: list[int], up: list[int], x: int, context: int) -> None:
        sign, q = (-1, -context) if context < 0 else (1, context)
        left, top, corner = line[x - 1], up[x], up[x - 1]
        if corner >= max(left, top):
            prediction = min(left, top)
        elif corner <= min(left, top):
            prediction = max(left, top)
        else:
            prediction = left + top - corner
        prediction = min(max(prediction + sign * self.c[q], 0), self.maximum)
        error = self._quantize(sign * (line[x] - prediction))
        line[x] = self._reconstruct(prediction, sign * error)
        k = self._find_k(self.a[q], self.n[q])
        if not self.near and not k and 2 * self.b[q] <= -self.n[q]:
            mapped = 2 * error + 1 if error >= 0 else -2 * (error + 1)
        else:
            mapped = 2 * error if error >= 0 else -2 * error - 1
        self._write_code(mapped, k, self.limit)
        self._update(q, error)

    def _update(self, q: int, error: int) -> None:
        self.b[q] += error * self.step
        self.a[q] += abs(error)
        if self.n[q] == _RESET:
            self.a[q] >>= 1
            self.b[q] >>= 1
            self.n[q] >>= 1
        self.n[q] += 1
        if self.b[q] <= -self.n[q]:
            self.c[q] = max(self.c[q] - 1, -128)
            self.b[q] = max(self.b[q] + self.n[q], 1 - self.n[q])
        elif self.b[q] > 0:
            self.c[q] = min(self.c[q] + 1, 127)
            self.b[q] = min(self.b[q] - self.n[q], 0)

    def _write_run(self, lines: Lines, above: Lines, x: int, columns: int, part: int) -> int:
        end = x
        while end <= columns and all(abs(one[end] - one[x - 1]) <= self.near for one in lines):
            for line in lines:
                line[end] = line[x - 1]
            end += 1
        length, index = end - x, self.run_index[part]
        while length >= 1 << _RUN_BITS[index]:
            self.out.append("1")
            length -= 1 << _RUN_BITS[index]
            index = min(index + 1, 31)
        self.run_index[part] = index
        if end > columns:
            self.out.append("1" if length else "")
            return end
        self.out.append(f"{length:0{_RUN_BITS[index] + 1}b}")
        for line, up in zip(lines, above, strict=True):
            self._write_interruption(line, up, end, index, triplet=len(lines) > 1)
        self.run_index[part] = max(index - 1, 0)
        return end + 1

    def _write_interruption(
        self, line: list[int], up: list[int], x: int, index: int, *, triplet: bool
    ) -> None:
        left, top = line[x - 1], up[x]
        kind = 0 if triplet else int(abs(left - top) <= self.near)
        prediction, sign = (left, 1) if kind else (top, -1 if left > top else 1)
        error = self._quantize(sign * (line[x] - prediction))
        line[x] = self._reconstruct(prediction, sign * error)
        q = 365 + kind
        k = self._find_k(self.a[q] + (self.n[q] >> 1 if kind else 0), self.n[q])
        is_rare = 2 * self.nn[kind] >= self.n[q]
        flag = error > 0 if not k and not is_rare else error < 0
        mapped = 2 * abs(error) - kind - int(flag)
        self._write_code(mapped, k, self.limit - _RUN_BITS[index] - 1)
        self.nn[kind] += error < 0
        self.a[q] += (mapped + 1 - kind) >> 1
        if self.n[q] == _RESET:
            self.a[q] >>= 1
            self.n[q] >>= 1
            self.nn[kind] >>= 1
        self.n[q] += 1


def _stuff(bits: str) -> bytes:
    """Return bits as bytes; after a byte FF, the next has seven of them."""
    out = bytearray()
    at = 0
    while at < len(bits) or out[-1:] == b"\xff":
        count = 7 if out[-1:] == b"\xff" else 8
        out.append(int(bits[at : at + count].ljust(count, "0") or "0", 2))
        at += count
    return bytes(out)
