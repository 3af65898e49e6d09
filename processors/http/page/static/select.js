// The first of many in an order, without sorting all of them. Pure.

const SHARE = 8;

// The first `count` of `items`, in the order of `compare`.
export function first(items, count, compare) {
  if (count * SHARE > items.length) return [...items].sort(compare).slice(0, count);
  const best = [];
  for (const item of items) {
    if (best.length === count && compare(item, best[count - 1]) >= 0) continue;
    best.splice(placeOf(best, item, compare), 0, item);
    if (best.length > count) best.pop();
  }
  return best;
}

function placeOf(sorted, item, compare) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(item, sorted[middle]) < 0) high = middle;
    else low = middle + 1;
  }
  return low;
}
