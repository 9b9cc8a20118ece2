import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsNotEmpty, IsOptional, IsString, MaxLength } from 'class-validator';

export class AnalysisDto {
  @ApiProperty({ example: 'Call me Ishmael. Some years ago, I thought I would sail about a little.' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(50_000)
  text!: string;

  @ApiPropertyOptional({ default: false, description: 'true always runs the model and keeps nothing.' })
  @IsOptional()
  @IsBoolean()
  bypass?: boolean;
}
