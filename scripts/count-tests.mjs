// Prints 'N passed, N failed' from vitest's JSON report, and fails where no test ran.
import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2], 'utf8');
const files = text === '' ? [] : JSON.parse(text).testResults;
let passed = 0;
let failed = 0;
for (const { status, assertionResults } of files) {
  const statuses = assertionResults.map((test) => test.status);
  passed += statuses.filter((each) => each === 'passed').length;
  const red = statuses.filter((each) => each === 'failed').length;
  // A file that could not be loaded, or whose hook failed, has no test to blame.
  failed += red === 0 && status === 'failed' ? 1 : red;
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = passed + failed === 0 ? 1 : 0;
