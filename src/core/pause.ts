/** Long work in one go leaves nobody else a turn. */
export interface Pause {
  /** Cheap: to be asked often. */
  due(): boolean;
  rest(): Promise<void>;
}

/** Due whenever so many ms have been worked in one go. */
export function createPause(mostMs: number): Pause {
  let sinceMs = performance.now();
  return {
    due: () => performance.now() - sinceMs >= mostMs,
    async rest() {
      await new Promise((resolve) => setImmediate(resolve));
      sinceMs = performance.now();
    },
  };
}
