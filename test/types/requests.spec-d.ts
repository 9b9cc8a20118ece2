import { describe, expectTypeOf, it } from 'vitest';
import {
  CacheEvict,
  CacheView,
  CachingModule,
  custom,
  type NamedKeyStrategy,
  type RequestCallback,
  type RequestView,
} from 'nestjs-caching';

interface Account {
  id: string;
}

/** A class, as queries and bodies of Nest's applications are: it has no index signature. */
class ListQuery {
  page?: string;
  sort!: 'name' | 'price';
}

type Unsaid = Readonly<Record<string, unknown>>;

describe('a request, where nothing is said of it', () => {
  it('has a body, a user, a session and members of a query that are unknown', () => {
    expectTypeOf<RequestView['body']>().toEqualTypeOf<unknown>();
    expectTypeOf<RequestView['user']>().toEqualTypeOf<unknown>();
    expectTypeOf<RequestView['session']>().toEqualTypeOf<unknown>();
    expectTypeOf<RequestView['query']>().toEqualTypeOf<Unsaid>();
  });

  it('has a type in every callback, with no annotation', () => {
    CachingModule.forRoot({
      principal: (request) => {
        expectTypeOf(request).toEqualTypeOf<RequestView>();
        return request.user;
      },
      dashboard: {
        authorize: (request) => {
          expectTypeOf(request).toEqualTypeOf<RequestView>();
          return request.headers['x-admin'] === 'yes';
        },
      },
    });
    CacheView({
      scope: (request) => {
        expectTypeOf(request).toEqualTypeOf<RequestView>();
        return request.ip;
      },
      key: [
        (request) => {
          expectTypeOf(request).toEqualTypeOf<RequestView>();
          return request.path;
        },
        custom((request) => {
          expectTypeOf(request).toEqualTypeOf<RequestView>();
          return request.path;
        }),
      ],
      unless: ({ query }) => query.nocache === '1',
      refresh: async ({ query: { fresh } }) => fresh === '1',
      validator: ({ params: { id } }) => id,
    });
    CacheEvict({ tags: ({ params }) => [`book:${params.name}`], when: ({ query }) => 'now' in query });
  });

  it('does not let anybody read what nobody has said', () => {
    // @ts-expect-error: who is a user?
    CacheView({ scope: ({ user }) => user.id });
    // @ts-expect-error: nor is there one that has an id, or none
    CacheView({ scope: ({ user }) => user?.id });
    // @ts-expect-error: an id is a text or a number
    CacheView({ scope: ({ user }) => user });
    // @ts-expect-error: the session is the application's
    CacheView({ unless: ({ session }) => session.reader !== undefined });
    // @ts-expect-error: the body is the client's
    CacheEvict({ tags: ({ body }) => [body.name] });
    // @ts-expect-error: a parameter may come twice, and is a list then
    CacheEvict({ tags: ({ query }) => [query.name] });
    // @ts-expect-error: an administrator is the application's
    CachingModule.forRoot({ dashboard: { authorize: ({ user }) => user.isAdmin === true } });
  });
});

describe('a request, where its callback says what it reads', () => {
  type AccountRequest = RequestView<{ user: Account }>;

  it('has these types, and no others than these', () => {
    expectTypeOf<AccountRequest['user']>().toEqualTypeOf<Account>();
    expectTypeOf<AccountRequest['body']>().toEqualTypeOf<unknown>();
    expectTypeOf<AccountRequest['query']>().toEqualTypeOf<Unsaid>();
    expectTypeOf<RequestView<{ user?: Account }>['user']>().toEqualTypeOf<Account | undefined>();
    expectTypeOf<RequestView<{ session: Account }>['session']>().toEqualTypeOf<Account>();
    expectTypeOf<RequestView<{ body: Account[] }>['body']>().toEqualTypeOf<Account[]>();
    expectTypeOf<AccountRequest['params']>().toEqualTypeOf<RequestView['params']>();
  });

  it('has a query of which some is known', () => {
    type ListRequest = RequestView<{ query: ListQuery }>;
    expectTypeOf<ListRequest['query']['sort']>().toEqualTypeOf<'name' | 'price'>();
    expectTypeOf<ListRequest['query']['page']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<ListRequest['query']['other']>().toEqualTypeOf<unknown>();
  });

  it('is taken by every option that takes a request', () => {
    const isAccount = ({ user }: AccountRequest) => user.id !== '';
    const idOf = ({ user }: AccountRequest) => user.id;
    const tagsOf = ({ user }: AccountRequest) => [`user:${user.id}`];
    CachingModule.forRoot({
      principal: idOf,
      scope: idOf,
      unless: isAccount,
      refresh: isAccount,
      key: idOf,
      dashboard: { authorize: isAccount },
    });
    CacheView({
      scope: idOf,
      unless: isAccount,
      refresh: isAccount,
      key: idOf,
      tags: tagsOf,
      validator: idOf,
    });
    CacheView({ key: [custom(idOf), idOf], scope: async ({ user }: AccountRequest) => user.id });
    CacheView({
      unless: ({ query, body }: RequestView<{ query: ListQuery; body: Account }>) => query.page === body.id,
    });
    CacheEvict({ tags: tagsOf, when: isAccount });
    expectTypeOf<typeof idOf>().toExtend<RequestCallback<string>>();
    expectTypeOf<{ part(request: AccountRequest): string }>().toExtend<Pick<NamedKeyStrategy, 'part'>>();
    expectTypeOf<AccountRequest>().toExtend<RequestView>();
  });

  it('is held to what it says, and to what the option wants', () => {
    // @ts-expect-error: an account has no name
    CacheView({ scope: ({ user }: AccountRequest) => user.name });
    // @ts-expect-error: an account is no id
    CacheView({ scope: ({ user }: AccountRequest) => user });
    // @ts-expect-error: there may be none
    CacheView({ scope: ({ user }: RequestView<{ user?: Account }>) => user.id });
    // @ts-expect-error: a typing mistake
    CacheView({ scope: (request: RequestView<{ usr: Account }>) => request.ip });
    // @ts-expect-error: not what a callback gets
    CacheView({ scope: (id: string) => id });
    // @ts-expect-error: nor the framework's request, which is its `raw`
    CacheView({ scope: ({ user }: { user: Account }) => user.id });
    // @ts-expect-error: what is not said to have a user is no request with one
    expectTypeOf<RequestView>().toExtend<AccountRequest>();
  });
});
