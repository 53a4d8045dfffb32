/* The whole of the program behind main(). */
#ifndef PGWEIR_COMMAND_LINE_H
#define PGWEIR_COMMAND_LINE_H

/* As main(): returns the exit status, 0 good, 1 failed, 2 wrong usage. */
int command_line_run(int count, char **texts);

#endif
