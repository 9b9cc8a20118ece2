import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BooksApp, PLATFORMS } from './support/books-app.js';

describe.each(PLATFORMS)('Readers on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform);
  });
  afterAll(() => app.close());

  it('see themselves only after they logged in, also where the cache has an answer for others', async () => {
    const ann = await app.login('ann');
    expect((await app.get('/me', ann)).status).toBe(200);
    expect((await app.get('/me', ann)).verdict).toBe('HIT');
    expect((await app.get('/me')).status).toBe(401);
    const forged = ann.replace(
      /(?<=books-session=)[^;]*/,
      Buffer.from('{"reader":"ann"}x').toString('base64'),
    );
    expect(forged).not.toBe(ann);
    expect((await app.get('/me', forged)).status).toBe(401);
  });

  it('each have an entry of their own', async () => {
    const [bea, cid] = [await app.login('bea'), await app.login('cid')];
    const runs = await app.runs('GET /me');
    const seen = [];
    for (const cookie of [bea, cid, bea, cid]) {
      const { text, verdict } = await app.get('/me', cookie);
      seen.push([JSON.parse(text), verdict]);
    }
    expect(seen).toEqual([
      [{ name: 'bea', logins: 1 }, 'MISS'],
      [{ name: 'cid', logins: 1 }, 'MISS'],
      [{ name: 'bea', logins: 1 }, 'HIT'],
      [{ name: 'cid', logins: 1 }, 'HIT'],
    ]);
    expect(await app.runs('GET /me')).toBe(runs + 2);
  });

  it('evict their own view by logging in and out, and nobody else’s', async () => {
    const [dan, eve] = [await app.login('dan'), await app.login('eve')];
    for (const cookie of [dan, eve]) await app.get('/me', cookie);
    const danAgain = await app.login('dan');
    const fresh = await app.get('/me', danAgain);
    expect([fresh.verdict, JSON.parse(fresh.text)]).toEqual(['MISS', { name: 'dan', logins: 2 }]);
    expect((await app.get('/me', eve)).verdict).toBe('HIT');

    const out = await app.ask('POST', '/logout', { cookie: danAgain });
    expect([out.status, out.headers.get('location')]).toEqual([303, '/']);
    expect(out.headers.getSetCookie().join()).toMatch(/books-session=;/);
    expect((await app.get('/me', danAgain)).verdict).toBe('MISS');
    expect((await app.get('/me', eve)).verdict).toBe('HIT');
  });

  it('log in by the form of the home page', async () => {
    const login = await app.ask('POST', '/login', { form: { name: 'form-reader' } });
    expect([login.status, login.headers.get('location')]).toEqual([303, '/']);
    expect(login.headers.getSetCookie().join()).toMatch(/httponly/i);
    expect((await app.get('/', login.cookie)).text).toContain('Welcome, form-reader');
  });

  it('evict nothing by a login that fails', async () => {
    const fay = await app.login('fay');
    await app.get('/me', fay);
    await app.get('/');
    expect((await app.ask('POST', '/login', { body: { name: 'fay', password: 'x' } })).status).toBe(400);
    expect((await app.ask('POST', '/login', { body: { name: 'Not A Name' } })).status).toBe(400);
    expect((await app.get('/me', fay)).verdict).toBe('HIT');
    expect((await app.get('/')).verdict).toBe('HIT');
  });
});
