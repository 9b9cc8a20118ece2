import type { LoggerService } from '@nestjs/common';

/** What the application logged, for specs that are about warnings. */
export class CapturedLogger implements LoggerService {
  readonly warnings: string[] = [];
  readonly errors: string[] = [];

  log(): void {
    return undefined;
  }

  warn(message: unknown): void {
    this.warnings.push(String(message));
  }

  error(message: unknown): void {
    this.errors.push(String(message));
  }
}
