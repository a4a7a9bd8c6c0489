const COLOURS = { red: 31, green: 32 } as const;
export type Colour = keyof typeof COLOURS;

/** A stream as far as colours go: only a terminal has `hasColors`, which honours NO_COLOR, FORCE_COLOR and TERM. */
export interface Screen {
  isTTY?: boolean;
  hasColors?(): boolean;
}

/** `text` in a colour, where the stream is a terminal that shows colours and its person wants them. */
export function paint(stream: Screen, colour: Colour, text: string): string {
  return stream.isTTY && stream.hasColors?.() ? `\u001b[${COLOURS[colour]}m${text}\u001b[39m` : text;
}

/** A bar that redraws itself in place; `end` leaves the line when the work stopped short of its total. */
export function progressBar(write: (text: string) => void): { show(done: number, total: number): void; end(): void } {
  let shown = '';
  return {
    show(done, total) {
      const filled = total === 0 ? 30 : Math.min(30, Math.round((30 * done) / total));
      const line = `[${'#'.repeat(filled)}${'-'.repeat(30 - filled)}] ${done} of ${total}`;
      if (line === shown) return;
      shown = line;
      write(`\r${line}`);
    },
    end() {
      if (shown !== '') write('\n');
      shown = '';
    },
  };
}
