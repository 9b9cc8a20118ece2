import type { DemoRequest } from './player.js';

export const list = (query = ''): DemoRequest => ({
  method: 'GET',
  path: `/books${query}`,
  handler: 'GET /books',
});

export const book = (name: string): DemoRequest => ({
  method: 'GET',
  path: `/books/${name}`,
  handler: 'GET /books/:name',
});

export const add = (body: unknown): DemoRequest => ({
  method: 'POST',
  path: '/books',
  handler: 'POST /books',
  body,
});

export const reprice = (name: string, price: unknown): DemoRequest => ({
  method: 'PUT',
  path: `/books/${name}`,
  handler: 'PUT /books/:name',
  body: { price },
});

export const remove = (name: string): DemoRequest => ({
  method: 'DELETE',
  path: `/books/${name}`,
  handler: 'DELETE /books/:name',
});

export const search = (body: unknown): DemoRequest => ({
  method: 'POST',
  path: '/books/search',
  handler: 'POST /books/search',
  body,
});

export const languages: DemoRequest = { method: 'GET', path: '/languages', handler: 'GET /languages' };

/** What runs is counted of the memoized method behind it. */
export const statistics = (language: string): DemoRequest => ({
  method: 'GET',
  path: `/statistics/${language}`,
  handler: 'StatisticsService.of',
});

export const forgetStatistics = (language = ''): DemoRequest => ({
  method: 'DELETE',
  path: language === '' ? '/statistics' : `/statistics/${language}`,
  handler: 'StatisticsService.of',
});

export const analysis = (body: unknown): DemoRequest => ({
  method: 'POST',
  path: '/analysis',
  handler: 'POST /analysis',
  body,
});

export const home = (cookie?: string): DemoRequest => ({
  method: 'GET',
  path: '/',
  handler: 'GET /',
  ...(cookie === undefined ? {} : { cookie }),
});

export const me = (cookie: string): DemoRequest => ({
  method: 'GET',
  path: '/me',
  handler: 'GET /me',
  cookie,
});

export const login = (name: string): DemoRequest => ({
  method: 'POST',
  path: '/login',
  handler: 'POST /login',
  body: { name },
});

export const logout = (cookie: string): DemoRequest => ({
  method: 'POST',
  path: '/logout',
  handler: 'POST /logout',
  cookie,
});
