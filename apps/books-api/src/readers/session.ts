import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

export interface SessionHolder {
  session?: { reader?: string } | null;
}

/** Express hands node's own request on; Fastify wraps it, and middleware has set the session on the inner one. */
export type SessionRequest = SessionHolder & { readonly raw?: SessionHolder };

export function readerOf({ raw, session }: SessionRequest): string | undefined {
  return (raw ?? { session }).session?.reader;
}

export function startSession(request: SessionRequest, reader: string): void {
  (request.raw ?? request).session = { reader };
}

export function endSession(request: SessionRequest): void {
  (request.raw ?? request).session = null;
}

/** The name of the reader who is logged in. */
export const Reader = createParamDecorator((_: unknown, context: ExecutionContext) =>
  readerOf(context.switchToHttp().getRequest<SessionRequest>()),
);
