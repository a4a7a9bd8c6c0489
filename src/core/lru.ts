/**
 * A map that forgets what was not used for longest, once all of it weighs more than `most`: a quarter at a time, since to
 * find the oldest entry of a Map takes the longer the more were deleted before it.
 */
export class Lru<K, V> {
  readonly #kept = new Map<K, V>();
  #weight = 0;

  constructor(
    private readonly most: number,
    private readonly weigh: (value: V) => number = () => 1,
  ) {}

  get(key: K): V | undefined {
    const value = this.#kept.get(key);
    if (value === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    const before = this.#kept.get(key);
    if (before !== undefined) this.#weight -= this.weigh(before);
    this.#kept.delete(key);
    this.#kept.set(key, value);
    this.#weight += this.weigh(value);
    if (this.#weight <= this.most) return;
    for (const [oldest, old] of this.#kept) {
      if (this.#weight <= this.most * 0.75) break;
      this.#kept.delete(oldest);
      this.#weight -= this.weigh(old);
    }
  }
}
