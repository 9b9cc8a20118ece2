import { Injectable } from '@nestjs/common';
import { Eta } from 'eta';
import type { Book } from '../books/book.dto.js';
import { TEMPLATES } from './templates.js';

/** What each page needs. */
export interface Pages {
  home: { total: number; languages: number; readers: number; books: Book[]; reader: string | undefined };
  book: { book: Book };
  about: Record<string, never>;
  error: { status: number; message: string };
}

@Injectable()
export class PageRenderer {
  readonly #eta = new Eta();

  constructor() {
    for (const [name, template] of Object.entries(TEMPLATES)) this.#eta.loadTemplate(`@${name}`, template);
  }

  render<Name extends keyof Pages>(name: Name, data: Pages[Name]): string {
    return this.#eta.render(`@${name}`, { ...data, renderedAt: new Date().toISOString() });
  }
}
