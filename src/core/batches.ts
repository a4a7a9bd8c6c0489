/** Items in order, so many and so many bytes at a time; one that is larger by itself goes alone. */
export function* batches<T>(
  items: Iterable<T>,
  bytesOf: (item: T) => number,
  most: { count: number; bytes: number },
): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (batch.length > 0 && (batch.length >= most.count || bytes + size > most.bytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
