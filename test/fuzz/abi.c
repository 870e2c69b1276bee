/*
 * abi.c
 *	  Stand-ins of functions whose prototypes differ between releases.  None
 *	  looks at its arguments, so one definition serves all; therefore this file
 *	  includes no header that declares them.
 */
extern void vacuum_delay_point(int is_analyze);

void
vacuum_delay_point(int is_analyze)
{
	(void) is_analyze;
}
