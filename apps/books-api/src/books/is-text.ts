import { applyDecorators } from '@nestjs/common';
import { IsString, MaxLength, NotContains } from 'class-validator';

/** A string that PostgreSQL can hold: it has no NUL characters. */
export function IsText(maxLength: number): PropertyDecorator {
  return applyDecorators(
    IsString(),
    MaxLength(maxLength),
    NotContains('\0', { message: '$property must not contain NUL characters' }),
  );
}
