import {
  applyDecorators,
  Body,
  Controller,
  Cookies,
  createParamDecorator,
  type ExecutionContext,
  Get,
  Headers,
  HostParam,
  HttpCode,
  type INestApplication,
  Ip,
  Post,
  Query,
  RawBody,
  Req,
  Session,
  SignedCookies,
  UploadedFile,
  UploadedFiles,
} from '@nestjs/common';
import {
  CacheContext,
  CacheView,
  type CacheViewOptions,
  custom,
  formBody,
  jsonBody,
  path,
  query,
} from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { lineIn, optionsOf, SESSION_ID } from '../support/printed-line.js';
import { warningsAbout } from '../support/verdicts.js';

/** A controller whose one handler takes these parameters. */
function reading(
  parameters: readonly ParameterDecorator[],
  view: CacheViewOptions,
  { post = false, host }: { post?: boolean; host?: string | RegExp } = {},
) {
  class ReadingController {
    read() {
      return { read: true };
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(
    ReadingController.prototype,
    'read',
  ) as PropertyDescriptor;
  parameters.forEach((decorate, at) => decorate(ReadingController.prototype, 'read', at));
  applyDecorators(post ? Post('read') : Get('read'), HttpCode(200), CacheView(view))(
    ReadingController.prototype,
    'read',
    descriptor,
  );
  Controller(host === undefined ? {} : { host })(ReadingController);
  return ReadingController;
}

const Tenant = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-tenant'],
);

/** Puts a session and signed cookies on every request, as middleware and plugins do. */
function addSession(app: INestApplication, platform: string): void {
  const add = (request: object, _response: unknown, next: () => void) => {
    Object.assign(request, { session: { id: 's1' }, signedCookies: {} });
    next();
  };
  if (platform === 'express') app.use(add);
  else {
    const instance = app.getHttpAdapter().getInstance() as { addHook(name: string, hook: typeof add): void };
    instance.addHook('onRequest', add);
  }
}

interface Case {
  readonly takes: ParameterDecorator[];
  readonly named: string[];
  readonly view?: CacheViewOptions;
  readonly post?: boolean;
  readonly host?: string | RegExp;
  /** The host that a request names. */
  readonly asked?: string;
  readonly line: string;
}

const CASES: Record<string, Case> = {
  'the whole query': { takes: [Query()], named: ['@Query()'], view: { key: path() }, line: 'key: query()' },
  'a parameter of the query': {
    takes: [Query('page')],
    named: ["@Query('page')"],
    view: { key: path() },
    line: 'key: query()',
  },
  'a parameter that is not included': {
    takes: [Query('size')],
    named: ["@Query('size')"],
    view: { key: query({ include: ['page'] }) },
    line: 'key: query()',
  },
  'the whole query where some is included': {
    takes: [Query()],
    named: ['@Query()'],
    view: { key: query({ include: ['page'] }) },
    line: 'key: query()',
  },
  'a parameter that is ignored': {
    takes: [Query('nocache')],
    named: ["@Query('nocache')"],
    view: { key: query({ ignore: ['nocache'] }) },
    line: "inputs: 'reviewed'",
  },
  'the query beside a body': {
    takes: [Query('page'), Body()],
    named: ["@Query('page')"],
    view: { key: jsonBody({ ignore: ['trace'] }) },
    post: true,
    line: 'key: [jsonBody({"ignore":["trace"]}), query()]',
  },
  'a body on a GET': { takes: [Body()], named: ['@Body()'], line: "inputs: 'reviewed'" },
  'a member of a body that is not included': {
    takes: [Body('text')],
    named: ["@Body('text')"],
    view: { key: [query(), jsonBody({ include: ['id'] })] },
    post: true,
    line: 'key: [query(), jsonBody()]',
  },
  'a field of a form that is not included': {
    takes: [Body('text')],
    named: ["@Body('text')"],
    view: { key: [query(), formBody({ include: ['id'] })] },
    post: true,
    line: 'key: [query(), formBody()]',
  },
  'the bytes of a body': {
    takes: [RawBody()],
    named: ['@RawBody()'],
    view: { key: jsonBody() },
    post: true,
    line: "key: [jsonBody(), custom(({ raw }) => raw.rawBody?.toString('latin1') || false)]",
  },
  'an upload': {
    takes: [UploadedFile()],
    named: ['@UploadedFile()'],
    view: { key: custom(() => 1) },
    post: true,
    line: "inputs: 'reviewed'",
  },
  uploads: {
    takes: [UploadedFiles()],
    named: ['@UploadedFiles()'],
    view: { key: custom(() => 1) },
    post: true,
    line: "inputs: 'reviewed'",
  },
  'all headers': { takes: [Headers()], named: ['@Headers()'], line: "inputs: 'reviewed'" },
  'a header': { takes: [Headers('X-Tenant')], named: ["@Headers('X-Tenant')"], line: "vary: ['x-tenant']" },
  'headers beside a keyed one': {
    takes: [Headers('x-b'), Headers('x-c')],
    named: ["@Headers('x-b')", "@Headers('x-c')"],
    view: { vary: ['x-a'] },
    line: "vary: ['x-a', 'x-b', 'x-c']",
  },
  'the session': { takes: [Session()], named: ['@Session()'], line: SESSION_ID },
  'the address': { takes: [Ip()], named: ['@Ip()'], line: 'key: [query(), custom(({ ip }) => ip)]' },
  'a part of the host': {
    takes: [HostParam('account')],
    named: ["@HostParam('account')", '@Controller({ host })'],
    host: ':account.example.com',
    asked: 'account.example.com',
    line: `key: [query(), host({ allow: ['account.example.com'] })]`,
  },
  'a host that is a pattern, whether or not it is read': {
    takes: [],
    named: ['@Controller({ host })'],
    host: /^(?:www|shop)\.example\.com$/,
    asked: 'www.example.com',
    line: `key: [query(), host({ allow: ['www.example.com'] })]`,
  },
  'the whole request': { takes: [Req()], named: ['@Req()'], line: "inputs: 'reviewed'" },
  'a parameter decorator of the application': {
    takes: [Tenant()],
    named: ['a custom parameter decorator'],
    line: "inputs: 'reviewed'",
  },
  cookies: { takes: [Cookies()], named: ['@Cookies()'], line: "vary: ['cookie']" },
  'a cookie': { takes: [Cookies('theme')], named: ["@Cookies('theme')"], line: "vary: ['cookie']" },
  'a signed cookie': {
    takes: [SignedCookies('theme')],
    named: ["@SignedCookies('theme')"],
    line: "vary: ['cookie']",
  },
  'several kinds of inputs': {
    takes: [Headers('x-a'), Ip(), Session(), Query('page')],
    named: ["@Headers('x-a')", '@Ip()', '@Session()', "@Query('page')"],
    view: { key: path() },
    line: `vary: ['x-a'], key: [custom(({ ip }) => ip), query()], ${SESSION_ID}`,
  },
};

describe.each(PLATFORMS)('a handler on %s', (platform) => {
  let running: RunningApplication;

  const start = async (view: CacheViewOptions, given: Case) => {
    const { takes, post = false, host } = given;
    running = await startApplication(platform, {
      controllers: [reading(takes, view, { post, ...(host !== undefined && { host }) })],
      rawBody: true,
      setUp: (app) => addSession(app, platform),
    });
  };
  const ask = ({ post = false, asked = 'localhost', view }: Case) => {
    const isForm = JSON.stringify(view?.key ?? '').includes('formBody');
    const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json';
    return running.request('/read', {
      method: post ? 'POST' : 'GET',
      headers: { host: asked, ...(post && { 'content-type': type }) },
      ...(post && { body: isForm ? 'id=1' : '{"id":1}' }),
    });
  };

  afterEach(() => running.close());

  it.each(Object.entries(CASES))('is not cached where its key does not cover %s', async (_what, given) => {
    await start(given.view ?? {}, given);
    for (let round = 0; round < 2; round++) {
      expect((await ask(given)).cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=uncovered-inputs');
    }
    const warnings = warningsAbout(running, 'ReadingController.read');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`does not cover: ${given.named.join(', ')}.`);
    expect(lineIn(warnings[0])).toBe(given.line);
  });

  it.each([
    [Body(), 'key: jsonBody()'],
    [RawBody(), "key: custom(({ raw }) => raw.rawBody?.toString('latin1') || false)"],
  ])('of a GET is told that no key has its body, and that a POST may', async (takes, key) => {
    await start({}, { takes: [takes], named: [], line: '' });
    const [warning] = warningsAbout(running, 'ReadingController.read');
    expect(warning).toContain(
      `A GET that is sent a body bypasses the cache, so its key has none: make it a POST with ${key}. ` +
        "If it needs none, add inputs: 'reviewed' to its @CacheView, or @NoCache().",
    );
    await running.close();
    await start(optionsOf(key), { takes: [takes], named: [], line: '', post: true });
    expect(warningsAbout(running, 'ReadingController.read')).toEqual([]);
    const body = (text: string) =>
      running.request('/read', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      });
    expect((await body('{"id":1}')).verdict).toBe('MISS');
    expect((await body('{"id":2}')).verdict).toBe('MISS');
    expect((await body('{"id":1}')).verdict).toBe('HIT');
  });

  it.each(Object.entries(CASES))(
    'is cached once the line about %s is added as printed',
    async (_what, given) => {
      await start({ ...given.view, ...optionsOf(given.line) }, given);
      expect(warningsAbout(running, 'ReadingController.read')).toEqual([]);
      expect([(await ask(given)).verdict, (await ask(given)).verdict]).toEqual(['MISS', 'HIT']);
    },
  );

  it.each(Object.entries(CASES))(
    "is cached with inputs: 'reviewed', whatever it reads: %s",
    async (_what, given) => {
      await start({ ...given.view, inputs: 'reviewed' }, given);
      expect(warningsAbout(running, 'ReadingController.read')).toEqual([]);
      expect([(await ask(given)).verdict, (await ask(given)).verdict]).toEqual(['MISS', 'HIT']);
    },
  );

  it.each<[string, Partial<Case>]>([
    ['the query, which is covered by default', { takes: [Query()] }],
    ['an included parameter', { takes: [Query('page')], view: { key: query({ include: ['page'] }) } }],
    ['all of the query but what is ignored', { takes: [Query()], view: { key: query({ ignore: ['utm'] }) } }],
    ['the context of the cache', { takes: [CacheContext()] }],
    ['a keyed header, spelt otherwise', { takes: [Headers('X-A')], view: { vary: ['x-a'] } }],
    [
      'what a key of its own covers',
      { takes: [Query('a'), Ip(), Session()], view: { key: custom(() => 1) } },
    ],
    ['a host that is no pattern', { takes: [], host: 'shop.example', asked: 'shop.example' }],
    ['the body in the key', { takes: [Body(), Body('id')], view: { key: jsonBody() }, post: true }],
  ])('is cached where it reads %s', async (_what, partial) => {
    const given: Case = { takes: [], named: [], line: '', ...partial };
    await start(given.view ?? {}, given);
    expect(warningsAbout(running, 'ReadingController.read')).toEqual([]);
    expect([(await ask(given)).verdict, (await ask(given)).verdict]).toEqual(['MISS', 'HIT']);
  });
});
