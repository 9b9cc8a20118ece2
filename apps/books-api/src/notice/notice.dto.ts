import { ApiProperty } from '@nestjs/swagger';
import { IsString, MaxLength } from 'class-validator';

export class NoticeDto {
  @ApiProperty({ example: 'Closed for stocktaking on Friday.' })
  @IsString()
  @MaxLength(500)
  text!: string;
}
