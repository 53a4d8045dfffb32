#include "pgweir/command_line.h"

int main(int count, char **texts)
{
	return command_line_run(count, texts);
}
