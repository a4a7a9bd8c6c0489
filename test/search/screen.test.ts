import { expect, test } from 'vitest';
import { evidenceOnScreen } from '../bench/search/screen.js';

test('evidence is on the screen where half of its runs of four words are', () => {
  const turn = 'I went to a support group yesterday and it was powerful.';
  expect(evidenceOnScreen(`**Anna:** ${turn.toUpperCase()}`, [turn])).toEqual([true]);
  expect(evidenceOnScreen('… to a support group yesterday and it …', [turn])).toEqual([true]);
  expect(evidenceOnScreen('I went to a support group.', [turn])).toEqual([false]);
  expect(evidenceOnScreen('powerful was it and yesterday group support a to went I', [turn])).toEqual([false]);
});

test('short evidence is there whole or not at all', () => {
  expect(evidenceOnScreen('He said: in May 2023, at last.', ['May 2023', 'June 2023', 'Да'])).toEqual([
    true,
    false,
    false,
  ]);
});
