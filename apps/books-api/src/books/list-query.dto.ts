import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import { IsText } from './is-text.js';

const SORTS = ['name', 'title', 'author', 'year', 'price'] as const;
const ORDERS = ['asc', 'desc'] as const;

export class ListQueryDto {
  @ApiPropertyOptional({ default: 1, minimum: 1 })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  page: number = 1;

  @ApiPropertyOptional({ default: 20, minimum: 1, maximum: 100 })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit: number = 20;

  @ApiPropertyOptional({ description: 'A part of the name of the author, in any case.' })
  @IsOptional()
  @IsText(200)
  author?: string;

  @ApiPropertyOptional({ description: 'The language of the original, as GET /languages spells it.' })
  @IsOptional()
  @IsText(50)
  language?: string;

  @ApiPropertyOptional({ enum: SORTS, default: 'name' })
  @IsIn(SORTS)
  sort: (typeof SORTS)[number] = 'name';

  @ApiPropertyOptional({ enum: ORDERS, default: 'asc' })
  @IsIn(ORDERS)
  order: (typeof ORDERS)[number] = 'asc';

  @ApiPropertyOptional({ enum: ['1'], description: '1 passes by the cache: it is neither read nor written.' })
  @IsOptional()
  @IsIn(['1'])
  nocache?: '1';
}
