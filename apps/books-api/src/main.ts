import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { createApp } from './application.js';
import { settingsFrom } from './settings.js';

const settings = settingsFrom(process.env);
const app = await createApp(settings);
await app.listen(settings.port, settings.host);
const url = await app.getUrl();
new Logger('BooksApi').log(
  `${url} on ${settings.platform}, cache ${settings.cache ? 'on' : 'off'}, API at ${url}/docs`,
);

// A parent with an IPC channel (the demo) learns the port that was free, and takes the application along
// when it goes, however it goes.
if (process.send) {
  process.send({ url });
  process.once('disconnect', () => {
    app.close().catch((error: unknown) => {
      new Logger('BooksApi').error(error);
      process.exitCode = 1;
    });
  });
}
