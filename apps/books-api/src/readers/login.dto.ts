import { ApiProperty } from '@nestjs/swagger';
import { Matches } from 'class-validator';

export class LoginDto {
  @ApiProperty({ example: 'alice', description: 'Any name will do: there are no passwords here.' })
  @Matches(/^[a-z0-9-]{1,40}$/)
  name!: string;
}
