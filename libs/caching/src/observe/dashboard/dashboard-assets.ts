import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';
const IMAGE = 'image/svg+xml';

const FOLDER = new URL('./page/', import.meta.url);
const own = (name: string) => (): Buffer => readFileSync(new URL(name, FOLDER));

/** The chart library's own files, from its package. */
const chart = (name: string) => (): Buffer =>
  readFileSync(join(dirname(createRequire(import.meta.url).resolve('uplot')), name));

const FILES: Readonly<Record<string, readonly [type: string, read: () => Buffer]>> = {
  'dashboard.css': [STYLE, own('dashboard.css')],
  'icon.svg': [IMAGE, own('icon.svg')],
  'app.js': [SCRIPT, own('app.js')],
  'api.js': [SCRIPT, own('api.js')],
  'charts.js': [SCRIPT, own('charts.js')],
  'dom.js': [SCRIPT, own('dom.js')],
  'overview.js': [SCRIPT, own('overview.js')],
  'routes.js': [SCRIPT, own('routes.js')],
  'log.js': [SCRIPT, own('log.js')],
  'entries.js': [SCRIPT, own('entries.js')],
  'explain.js': [SCRIPT, own('explain.js')],
  'theme.js': [SCRIPT, own('theme.js')],
  'toolbar.js': [SCRIPT, own('toolbar.js')],
  'uplot.js': [SCRIPT, chart('uPlot.esm.js')],
  'uplot.css': [STYLE, chart('uPlot.min.css')],
};

const loaded = new Map<string, Asset>();

/** A file by the name that the page asks for: from a list, never from what is asked. Read once. */
export function assetOf(name: string): Asset | undefined {
  const known = loaded.get(name);
  if (known !== undefined || !Object.hasOwn(FILES, name)) return known;
  const [type, read] = FILES[name] as (typeof FILES)[string];
  const asset = { type, body: read() };
  loaded.set(name, asset);
  return asset;
}

let page: string | undefined;

/** @param base what files of the page are named behind, from where the page is */
export function pageOf(base: string, token: string, namespace: string): string {
  page ??= own('index.html')().toString();
  const values: Readonly<Record<string, string>> = { base, token, namespace };
  return page.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => escaped(values[name] ?? ''));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
