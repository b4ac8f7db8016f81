"""std::sort and std::priority_queue of LLVM's libc++ (13 and older), element for element.

Both leave the order of equal elements to their implementation, and the vendor's compiler
shows that order: it decides which of several equally long layers goes to which tile. So
the algorithms are restated here from the published sources' behaviour, comparison by
comparison. Reads and writes plain lists. Facts: docs/format/caching_program.md, "Ties".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Less: TypeAlias = Callable[[T, T], bool]

_MEDIAN_OF_FIVE = 1000
"""From this length on the pivot is the median of five samples, not three."""
_PATIENCE = 8
"""Moves after which the insertion sort of a presorted part gives up."""
_LARGEST_NETWORK = 5


def std_sort(items: Iterable[T], less: Less[T], small_sort: int = 30) -> list[T]:
    """The items in the order std::sort leaves them in: ascending, equal ones as they come.

    small_sort: parts up to this length are sorted by insertion (30 for trivially copyable
    elements, 6 for others).
    """
    values = list(items)
    _Sorter(values, less, small_sort).sort(0, len(values))
    return values


class _Sorter(Generic[T]):
    """Sorts `values` in place; every method works on positions [first, last)."""

    def __init__(self, values: list[T], less: Less[T], small_sort: int) -> None:
        self.values = values
        self.compare = less
        self.small_sort = small_sort

    def less(self, a: int, b: int) -> bool:
        return self.compare(self.values[a], self.values[b])

    def swap(self, a: int, b: int) -> int:
        values = self.values
        values[a], values[b] = values[b], values[a]
        return 1

    def sort(self, first: int, last: int) -> None:
        """Quicksort that stops at small parts and tries to notice presorted ones."""
        while not self._sort_small(first, last):
            middle, swaps = self._choose_pivot(first, last)
            low, high = first, last - 1
            if not self.less(first, middle):  # the first element equals the pivot
                guard = self._find_smaller(first, middle, high)
                if guard is None:
                    start = self._move_equal_to_front(first, last)
                    if start is None:
                        return
                    first = start
                    continue
                swaps += self.swap(first, guard)
                high = guard
            middle, more = self._partition(low + 1, high, middle)
            if swaps + more == 0:
                rest = self._finish_presorted(first, middle, last)
                if rest is None:
                    return
                if rest != (first, last):
                    first, last = rest
                    continue
            if middle - first < last - middle:
                self.sort(first, middle)
                first = middle + 1
            else:
                self.sort(middle + 1, last)
                last = middle

    def _sort_small(self, first: int, last: int) -> bool:
        """Sort a part of at most five elements by a fixed network, or one of at most
        `small_sort` by insertion; False when it is longer."""
        length = last - first
        if length <= _LARGEST_NETWORK:
            self._network(*range(first, last))
        elif length <= self.small_sort:
            self._insert_all(first, last, patience=0)
        else:
            return False
        return True

    def _network(self, *positions: int) -> int:
        """Sort up to five positions; returns the number of swaps."""
        if len(positions) < 2:
            return 0
        if len(positions) == 2:
            a, b = positions
            return self.swap(a, b) if self.less(b, a) else 0
        if len(positions) == 3:
            return self._network_of_three(*positions)
        swaps = self._network(*positions[:-1])
        for i in range(len(positions) - 1, 0, -1):
            if not self.less(positions[i], positions[i - 1]):
                break
            swaps += self.swap(positions[i], positions[i - 1])
        return swaps

    def _network_of_three(self, a: int, b: int, c: int) -> int:
        if not self.less(b, a):
            if not self.less(c, b):
                return 0
            self.swap(b, c)
            return 1 + (self.swap(a, b) if self.less(b, a) else 0)
        if self.less(c, b):
            return self.swap(a, c)
        self.swap(a, b)
        return 1 + (self.swap(b, c) if self.less(c, b) else 0)

    def _insert_all(self, first: int, last: int, patience: int) -> bool:
        """Insertion sort after a network of three; False when `patience` (if not 0) moves
        were made and elements are left."""
        values, moves = self.values, 0
        self._network_of_three(first, first + 1, first + 2)
        for i in range(first + 3, last):
            value = values[i]
            hole = i
            while hole > first and self.compare(value, values[hole - 1]):
                values[hole] = values[hole - 1]
                hole -= 1
            values[hole] = value
            if hole != i:
                moves += 1
                if moves == patience:
                    return i + 1 == last
        return True

    def _choose_pivot(self, first: int, last: int) -> tuple[int, int]:
        """Position of the pivot (the middle, after sorting the samples) and swaps made."""
        half = (last - first) // 2
        middle = first + half
        if last - first < _MEDIAN_OF_FIVE:
            return middle, self._network(first, middle, last - 1)
        quarter = half // 2
        samples = (first, first + quarter, middle, middle + quarter, last - 1)
        return middle, self._network(*samples)

    def _find_smaller(self, first: int, pivot: int, high: int) -> int | None:
        """The last position before `high` that is less than the pivot."""
        return next((j for j in range(high - 1, first, -1) if self.less(j, pivot)), None)

    def _move_equal_to_front(self, first: int, last: int) -> int | None:
        """No element is less than the first: gather those equal to it; returns where the
        larger ones start, or None when nothing is left to sort."""
        low, high = first + 1, last - 1
        if not self.less(first, high):
            while low != high and not self.less(first, low):
                low += 1
            if low == high:
                return None
            self.swap(low, high)
            low += 1
        if low == high:
            return None
        while True:
            while not self.less(first, low):
                low += 1
            high -= 1
            while self.less(first, high):
                high -= 1
            if low >= high:
                return low
            self.swap(low, high)
            low += 1

    def _partition(self, low: int, high: int, pivot: int) -> tuple[int, int]:
        """Smaller elements to the left, others to the right; `high` is a position known not
        to be smaller. Returns the pivot's final position and the swaps made."""
        swaps = 0
        while low < high:
            while self.less(low, pivot):
                low += 1
            high -= 1
            while not self.less(high, pivot):
                high -= 1
            if low > high:
                break
            swaps += self.swap(low, high)
            pivot = high if pivot == low else pivot
            low += 1
        if low != pivot and self.less(pivot, low):
            swaps += self.swap(low, pivot)
        return low, swaps

    def _finish_presorted(self, first: int, middle: int, last: int) -> tuple[int, int] | None:
        """No swap was needed: try insertion on both sides. Returns what is left to sort,
        None when that is nothing."""
        left = self._insert_patiently(first, middle)
        if self._insert_patiently(middle + 1, last):
            return None if left else (first, middle)
        return (middle + 1, last) if left else (first, last)

    def _insert_patiently(self, first: int, last: int) -> bool:
        if last - first <= _LARGEST_NETWORK:
            self._network(*range(first, last))
            return True
        return self._insert_all(first, last, _PATIENCE)


class PriorityQueue(Generic[T]):
    """std::priority_queue: `top` is an element no other one is above.

    below(a, b): a comes out later than b (the queue's comparator).
    """

    def __init__(self, items: Iterable[T], below: Less[T]) -> None:
        self.below = below
        self.heap: list[T] = []
        for item in items:
            self.push(item)

    def __len__(self) -> int:
        return len(self.heap)

    @property
    def top(self) -> T:
        return self.heap[0]

    def push(self, item: T) -> None:
        """Append, then let it rise while its parent is below it."""
        heap = self.heap
        heap.append(item)
        position = len(heap) - 1
        while position > 0:
            parent = (position - 1) // 2
            if not self.below(heap[parent], item):
                break
            heap[position] = heap[parent]
            position = parent
        heap[position] = item

    def pop(self) -> T:
        """Swap the top with the last element, cut it off and let the new top sink."""
        heap = self.heap
        heap[0], heap[-1] = heap[-1], heap[0]
        result = heap.pop()
        position, size = 0, len(heap)
        while (child := 2 * position + 1) < size:
            if child + 1 < size and self.below(heap[child], heap[child + 1]):
                child += 1
            if self.below(heap[child], heap[position]):
                break
            heap[position], heap[child] = heap[child], heap[position]
            position = child
        return result
