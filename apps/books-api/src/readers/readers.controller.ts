import { Body, Controller, Get, Post, Redirect, Req, UseGuards } from '@nestjs/common';
import { CacheEvict, CacheEvictionService, CacheView, type RequestView } from 'nestjs-caching';
import { HandlerRuns } from '../stats/handler-runs.js';
import { LoggedInGuard, type ReaderPrincipal } from './logged-in.guard.js';
import { LoginDto } from './login.dto.js';
import { type Profile, ReadersService } from './readers.service.js';
import { endSession, Reader, readerOf, type SessionRequest, startSession } from './session.js';

/** What `LoggedInGuard` lets through. */
type ReaderRequest = RequestView<{ user: ReaderPrincipal }>;

/** Tags: `readers` is on what counts them, `reader:<name>` on what shows one. */
@Controller()
export class ReadersController {
  constructor(
    private readonly readers: ReadersService,
    private readonly eviction: CacheEvictionService,
    private readonly runs: HandlerRuns,
  ) {}

  /** Each reader has an entry of their own, by `scope`; `Reader` reads nothing but that same principal. */
  @Get('me')
  @UseGuards(LoggedInGuard)
  @CacheView({
    ttl: '5m',
    scope: ({ user }: ReaderRequest) => user.name,
    tags: ({ user }: ReaderRequest) => [`reader:${user.name}`],
    inputs: 'reviewed',
  })
  me(@Reader() name: string): Promise<Profile> {
    this.runs.count('GET /me');
    return this.readers.profile(name);
  }

  /** From the form on the home page, or as JSON. */
  @Post('login')
  @Redirect('/', 303)
  @CacheEvict({ tags: ({ body }: RequestView<{ body: LoginDto }>) => ['readers', `reader:${body.name}`] })
  async login(@Body() { name }: LoginDto, @Req() request: SessionRequest): Promise<void> {
    this.runs.count('POST /login');
    await this.readers.logIn(name);
    startSession(request, name);
  }

  /** Whose session ends is known only here, so the eviction is too. */
  @Post('logout')
  @Redirect('/', 303)
  async logout(@Req() request: SessionRequest): Promise<void> {
    this.runs.count('POST /logout');
    const name = readerOf(request);
    endSession(request);
    if (name === undefined) return;
    await this.readers.logOut(name);
    await this.eviction.byTag('readers', `reader:${name}`);
  }
}
