/* SPDX-License-Identifier: BSD-3-Clause */
/* isns.c: the iSNS client as a whole: its settings, its servers, and when they are told what. */
#include "fabric/iscsi/isns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fabric/iscsi/isns_priv.h"
#include "fabric/iscsi/target.h"

/* ---- telling --------------------------------------------------------------------------------- */

static void wake_all(struct isns *in, bool again)
{
	struct isns_server *s, *tmp;

	list_for_each_safe (s, tmp, &in->servers, struct isns_server, at)
		isns_server_wake(s, again);
}

/* Changes have come to rest: look at what there is. */
static void look(struct loop_timer *t)
{
	struct isns *in = container_of(t, struct isns, look);
	struct isns_snap *now;

	if (in->stopping || list_empty(&in->servers))
		return;
	now = isns_snap_new(in->entity);
	if (!now) {
		log_limited(&in->log, LOG_LEVEL_WARN, "isns", "all",
			"there is too much to register, or memory is short: at most %u portals and "
			"targets",
			ISNS_OBJECTS_MAX);
		loop_timer_arm(in->loop, &in->look, ISNS_RETRY_MAX_NS);
		return;
	}
	if (in->now && isns_snap_equal(in->now, now)) {
		isns_snap_unref(now);
	} else {
		isns_snap_unref(in->now);
		in->now = now;
	}
	wake_all(in, false);
}

static void on_changed(struct loop *loop, struct loop_msg *msg)
{
	struct isns *in = container_of(msg, struct isns, changed);

	atomic_store(&in->dirty, false);
	if (!in->stopping)
		loop_timer_arm(loop, &in->look, ISNS_REST_NS);
}

void isns_changed(struct isns *in)
{
	/* Without servers each change of a whole configuration would wake the loop for nothing. */
	if (atomic_load(&in->serves) && !atomic_exchange(&in->dirty, true))
		loop_post(in->loop, &in->changed);
}

/* ---- settings -------------------------------------------------------------------------------- */

struct server_list {
	struct sockaddr_storage addr[ISNS_SERVERS_MAX];
	unsigned n;
};

int isns_server_address(const char *word, struct sockaddr_storage *ret, struct errmsg *err)
{
	const char *colon = strrchr(word, ':'), *bracket = strrchr(word, ']');
	char text[ADDRESS_TEXT_BYTES + 8];

	if (strlen(word) >= ADDRESS_TEXT_BYTES)
		return errmsg_set(err, -EINVAL, "servers: \"%.80s\" is too long", word);
	/* 2.9.1: the port that iSNS has. */
	snprintf(text, sizeof(text), "%s%s", word,
		colon && (!bracket || colon > bracket) ? "" : ":3205");
	return address_parse(text, ret, err);
}

static int parse_servers(const char *text, struct server_list *ret, struct errmsg *err)
{
	char copy[ISNS_SERVERS_TEXT_BYTES], *rest = copy, *word;
	int r;

	if (strlen(text) >= sizeof(copy))
		return errmsg_set(err, -EINVAL, "servers: the list is too long");
	strcpy(copy, text);
	ret->n = 0;
	while ((word = strsep(&rest, ", "))) {
		if (!*word)
			continue;
		if (ret->n == ISNS_SERVERS_MAX)
			return errmsg_set(err, -EINVAL, "servers: at most %d", ISNS_SERVERS_MAX);
		r = isns_server_address(word, &ret->addr[ret->n], err);
		if (r)
			return r;
		for (unsigned i = 0; i < ret->n; i++)
			if (address_equal(&ret->addr[i], &ret->addr[ret->n]))
				return errmsg_set(err, -EINVAL, "servers: %s is there twice", word);
		ret->n++;
	}
	return 0;
}

static bool is_in(const struct server_list *l, const struct sockaddr_storage *addr)
{
	for (unsigned i = 0; i < l->n; i++)
		if (address_equal(&l->addr[i], addr))
			return true;
	return false;
}

struct configure {
	struct isns *in;
	const struct isns_settings *settings;
	const struct server_list *list;
	bool again;
	struct isns_port opened[2]; /* fd -1: none */
};

static void configure_on_loop(struct loop *loop, void *arg)
{
	const struct configure *c = arg;
	struct isns *in = c->in;
	struct isns_server *s, *tmp;

	in->settings = *c->settings;
	/* From now on changes are told; those before are found by the look at the end. */
	atomic_store(&in->serves, c->list->n > 0);
	if (*in->settings.entity)
		strcpy(in->eid, in->settings.entity);
	else if (gethostname(in->eid, sizeof(in->eid) - 1) || !*in->eid)
		strcpy(in->eid, "ulio");
	list_for_each_safe (s, tmp, &in->servers, struct isns_server, at)
		if (s->state != ISNS_LEAVING && !is_in(c->list, &s->addr))
			isns_server_leave(s);
	for (unsigned i = 0; i < c->list->n; i++) {
		bool there = false;

		list_for_each (s, &in->servers, struct isns_server, at)
			there |= s->state != ISNS_LEAVING &&
				 address_equal(&s->addr, &c->list->addr[i]);
		if (!there && !isns_server_new(in, &c->list->addr[i]))
			log_msg(LOG_LEVEL_ERROR, "isns", "out of memory for a server");
	}
	for (unsigned i = 0; i < 2; i++) {
		if (c->opened[i].fd < 0)
			continue;
		in->ports[i] = c->opened[i];
		isns_port_start(&in->ports[i]);
	}
	if (c->again)
		wake_all(in, true);
	loop_timer_arm(loop, &in->look, ISNS_REST_NS);
}

/* Where servers reach us: a port of each family that the kernel chooses, kept until the end. */
static int open_ports(struct isns *in, struct isns_port *ret, struct errmsg *err)
{
	struct sockaddr_storage any[2] = { { .ss_family = AF_INET }, { .ss_family = AF_INET6 } },
				at;
	int r = 0;

	for (unsigned i = 0; i < 2; i++) {
		ret[i].fd = -1;
		if (in->ports[i].fd >= 0)
			continue;
		r = loops_listen(in->entity->loops, (struct sockaddr *)&any[i],
			address_bytes(&any[i]), NULL, 0, &at);
		if (r < 0)
			continue; /* a host may have but one family */
		ret[i] = (struct isns_port){ .isns = in, .fd = r, .port = address_port(&at) };
	}
	if (in->ports[0].fd < 0 && in->ports[1].fd < 0 && ret[0].fd < 0 && ret[1].fd < 0)
		return errmsg_set(err, r, "cannot listen for iSNS servers: %s", strerror(-r));
	return 0;
}

int isns_configure(struct isns *in, const struct isns_settings *settings, struct errmsg *err)
{
	struct server_list list;
	struct configure c = { in, settings, &list, false, { { .fd = -1 }, { .fd = -1 } } };
	int r = parse_servers(settings->servers, &list, err);

	if (r)
		return r;
	for (const char *p = settings->entity; *p; p++)
		if (*p <= ' ' || *p == 0x7f)
			return errmsg_set(err, -EINVAL,
				"entity: a name without spaces is meant, such as the host's");
	if (list.n && (r = open_ports(in, c.opened, err)))
		return r;
	c.again = strcmp(in->settings.entity, settings->entity) != 0 ||
		  in->settings.period_s != settings->period_s ||
		  in->settings.esi_interval_s != settings->esi_interval_s;
	loops_call(in->entity->loops, in->loop, configure_on_loop, &c);
	return 0;
}

const struct isns_settings *isns_settings(const struct isns *in)
{
	return &in->settings;
}

/* ---- telling people -------------------------------------------------------------------------- */

struct info_arg {
	struct isns *in;
	struct isns_server_info *ret;
	unsigned n;
};

static void info_on_loop(struct loop *loop, void *arg)
{
	static const char *const names[] = {
		[ISNS_IDLE] = "nothing to register",
		[ISNS_CONNECTING] = "connecting",
		[ISNS_REGISTERING] = "registering",
		[ISNS_REGISTERED] = "registered",
		[ISNS_WAITING] = "waiting to try again",
	};
	struct info_arg *a = arg;
	struct isns_server *s;

	list_for_each (s, &a->in->servers, struct isns_server, at) {
		struct isns_server_info *to = &a->ret[a->n];

		if (s->state == ISNS_LEAVING || a->n == ISNS_SERVERS_MAX)
			continue;
		*to = s->info;
		strcpy(to->address, s->name);
		to->state = names[s->state];
		a->n++;
	}
}

unsigned isns_info(struct isns *in, struct isns_server_info *ret)
{
	struct info_arg a = { in, ret, 0 };

	loops_call(in->entity->loops, in->loop, info_on_loop, &a);
	return a.n;
}

/* ---- life ------------------------------------------------------------------------------------ */

int isns_new(struct entity *e, struct isns **ret)
{
	struct isns *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	in->entity = e;
	in->loop = loops_get(e->loops, 0);
	in->settings.period_s = 300;
	in->settings.esi_interval_s = 60;
	in->ports[0].fd = in->ports[1].fd = -1;
	in->look.fire = look;
	in->changed.fn = on_changed;
	list_init(&in->servers);
	list_init(&in->callers);
	rng_seed(&in->rng, rng_u64());
	log_limit_init(&in->log, 20, 10000000000ull);
	*ret = in;
	return 0;
}

void isns_check_gone(struct isns *in)
{
	if (in->stopping && in->gone && list_empty(&in->servers) && list_empty(&in->callers) &&
		in->ports[0].fd < 0 && in->ports[1].fd < 0)
		loop_event_signal(in->gone);
}

static void stop_on_loop(struct loop *loop, void *arg)
{
	struct isns *in = arg;
	struct isns_server *s, *tmp;

	in->stopping = true;
	loop_timer_disarm(loop, &in->look);
	isns_port_stop(&in->ports[0]);
	isns_port_stop(&in->ports[1]);
	isns_callers_end(in);
	list_for_each_safe (s, tmp, &in->servers, struct isns_server, at)
		if (s->state != ISNS_LEAVING)
			isns_server_leave(s);
	isns_check_gone(in);
}

void isns_free(struct isns *in)
{
	struct loop_event gone;

	if (!in)
		return;
	loop_event_init(&gone, in->entity->loops);
	in->gone = &gone;
	loops_call(in->entity->loops, in->loop, stop_on_loop, in);
	(void)loop_event_wait(&gone, UINT64_MAX);
	/* Whoever signalled has left that function, and a last `changed` has come. */
	loops_barrier(in->entity->loops, NULL, NULL);
	isns_snap_unref(in->now);
	free(in);
}
