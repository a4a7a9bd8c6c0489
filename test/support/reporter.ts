import type { Reporter, TestModule } from 'vitest/node';

/** Ends a CI run with the tests that passed only when tried again, and one plain line of counts. */
export default class PlainCount implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        count[test.result().state]++;
        if (test.diagnostic()?.flaky) process.stdout.write(`FLAKY: ${module.moduleId} > ${test.fullName}\n`);
      }
    }
    process.stdout.write(
      `\n${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped\n`,
    );
  }
}
