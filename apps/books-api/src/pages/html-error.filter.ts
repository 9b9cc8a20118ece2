import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { PageRenderer } from './page-renderer.js';

/** Errors of the pages, for people. The cache records below filters, so it sees this page as well. */
@Catch(HttpException)
export class HtmlErrorFilter implements ExceptionFilter<HttpException> {
  constructor(
    private readonly pages: PageRenderer,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  catch(error: HttpException, host: ArgumentsHost): void {
    const status = error.getStatus();
    const response: unknown = host.switchToHttp().getResponse();
    const { httpAdapter } = this.adapterHost;
    httpAdapter.setHeader(response, 'content-type', 'text/html; charset=utf-8');
    httpAdapter.reply(response, this.pages.render('error', { status, message: error.message }), status);
  }
}
