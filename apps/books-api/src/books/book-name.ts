import { Injectable, NotFoundException, type PipeTransform } from '@nestjs/common';

/** Lower-case words, joined by hyphens. */
export const BOOK_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** What can't be the name of a book is not found, without asking the database. */
@Injectable()
export class BookNamePipe implements PipeTransform<string, string> {
  transform(name: string): string {
    if (!BOOK_NAME.test(name)) throw new NotFoundException(`There is no book "${name}"`);
    return name;
  }
}
