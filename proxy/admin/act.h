/* The commands that change something. */
#ifndef PGWEIR_ADMIN_ACT_H
#define PGWEIR_ADMIN_ACT_H

#include "job.h"

/* act_pause.c */
job_cb act_pause, act_resume, act_disable, act_enable, act_suspend;
/* act_cluster.c */
job_cb act_pause_cluster, act_resume_cluster;
/* act_kill.c */
job_cb act_kill, act_kill_client, act_reconnect, act_wait_close, act_show_fds;
/* show_secrets.c */
job_cb act_refresh_secret;
/* act_secret.c */
job_cb act_revoke_secret;
/* act_control.c */
job_cb act_reload, act_set, act_shutdown, act_shutdown_for_servers, act_shutdown_for_clients;

/* Reads the database argument into the job; none is fine where the command allows it. False: the job has failed. */
bool act_take_database(struct job *job) MUST_USE;

/* chatter.c: what drivers say without being asked. */
extern const struct table select_one_table, select_version_table, select_unlock_table, select_user_table;
extern const struct table show_isolation_table, show_read_only_table, show_server_version_table, show_encoding_table;
extern const struct table show_strings_table, show_application_name_table;
job_cb chatter_accept, chatter_begin, chatter_end, chatter_value, chatter_user, chatter_application_name;
job_cb chatter_set_application_name, chatter_forget_statements;

#endif
