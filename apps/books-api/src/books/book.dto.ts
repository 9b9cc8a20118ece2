import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsNotEmpty, IsNumber, Matches, Max, MaxLength, Min } from 'class-validator';
import { BOOK_NAME } from './book-name.js';
import { IsText } from './is-text.js';

export class PriceDto {
  @ApiProperty({ example: 12.5, minimum: 0, maximum: 10_000 })
  @IsNumber({ maxDecimalPlaces: 2 })
  @Min(0)
  @Max(10_000)
  price!: number;
}

export class NewBookDto extends PriceDto {
  @ApiProperty({
    example: 'the-sea-wolf',
    description: 'The key in URLs: lower-case words, joined by hyphens.',
  })
  @Matches(BOOK_NAME)
  @MaxLength(100)
  name!: string;

  @ApiProperty({ example: 'The Sea-Wolf' })
  @IsNotEmpty()
  @IsText(200)
  title!: string;

  @ApiProperty({ example: 'Jack London' })
  @IsNotEmpty()
  @IsText(200)
  author!: string;

  @ApiProperty({ example: 1904 })
  @IsInt()
  @Min(-3000)
  @Max(2100)
  year!: number;

  @ApiProperty({ example: 'English' })
  @IsNotEmpty()
  @IsText(50)
  language!: string;
}

export class Book extends NewBookDto {}
