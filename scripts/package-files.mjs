// Puts the repository's own pages into the library's folder, so that its package holds them and nobody keeps two.
import { copyFileSync, cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
for (const page of ['README.md', 'CHANGELOG.md', 'LICENSE']) {
  copyFileSync(fileURLToPath(new URL(page, root)), fileURLToPath(new URL(`libs/caching/${page}`, root)));
}

// What the dashboard's page is made of is no TypeScript: it is served as it is.
const page = 'observe/dashboard/page/';
cpSync(new URL(`libs/caching/src/${page}`, root), new URL(`libs/caching/dist/${page}`, root), {
  recursive: true,
});
