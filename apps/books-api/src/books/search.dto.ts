import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsNotEmpty, IsOptional, Max, Min } from 'class-validator';
import { IsText } from './is-text.js';

export class SearchDto {
  @ApiProperty({
    example: 'austen -emma',
    description: 'Words of title and author; "a phrase", or, and -without work as in a search engine.',
  })
  @IsNotEmpty()
  @IsText(200)
  text!: string;

  @ApiPropertyOptional({ example: 'English' })
  @IsOptional()
  @IsText(50)
  language?: string;

  @ApiPropertyOptional({ default: 20, minimum: 1, maximum: 100 })
  @IsInt()
  @Min(1)
  @Max(100)
  limit: number = 20;
}
