// Compares the public API of the built library with the reports in etc/, one for each entry point of the package:
// what users can import, and its types. `--write` writes them anew, after a change that is meant.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('../', import.meta.url));
const packageJson = `${root}libs/caching/package.json`;
const { exports } = JSON.parse(readFileSync(packageJson, 'utf8'));
const isWriting = process.argv.includes('--write');

/** Complaints about comments are TypeDoc's, and types that are not exported are there on purpose: nobody names them. */
const quiet = { default: { logLevel: 'none' } };

let differing = 0;
for (const [entry, { types }] of Object.entries(exports)) {
  if (types === undefined) continue;
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: packageJson,
    configObjectFullPath: `${root}libs/caching/api-extractor.json`,
    configObject: {
      projectFolder: `${root}libs/caching`,
      mainEntryPointFilePath: `${root}libs/caching/${types}`,
      compiler: { tsconfigFilePath: `${root}libs/caching/tsconfig.lib.json` },
      apiReport: {
        enabled: true,
        reportFileName: `nestjs-caching${entry.slice(1).replaceAll('/', '.')}`,
        reportFolder: `${root}etc`,
        reportTempFolder: `${root}node_modules/.cache/api-reports`,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: quiet,
        extractorMessageReporting: quiet,
        tsdocMessageReporting: quiet,
      },
    },
  });
  const result = Extractor.invoke(config, {
    localBuild: isWriting,
    messageCallback: (message) => {
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) process.stderr.write(`${message.text}\n`);
    },
  });
  if (!result.apiReportChanged) continue;
  differing += 1;
  process.stdout.write(`${entry}: ${isWriting ? 'written' : 'the public API is not what etc/ says'}\n`);
}
if (differing > 0 && !isWriting) {
  process.stderr.write('Where the change is meant: npm run api, and commit what it writes.\n');
  process.exitCode = 1;
}
