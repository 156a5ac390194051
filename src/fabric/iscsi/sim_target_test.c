/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_target_test.c: the target of the simulator's tests. */
#include "fabric/iscsi/sim_peer_testkit.h"

bool sim_target_boot(struct sim_target *t, const struct sim_boot *b)
{
	struct backstore *bs;
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	memset(t, 0, sizeof(*t));
	rig_init(&t->rig, LOOP_SIM, 2, b->seed);
	if (b->medium)
		sim_attach_disk(t->rig.k.loops, b->medium);
	sim_power_cut_at(t->rig.k.loops, b->cut_at);
	if (engine_set_dbroot(t->rig.eng, b->dbroot, &err) ||
		backstore_open_spec(t->rig.k.reg, "disk", b->spec, &bs, &err)) {
		if (!sim_power_is_cut(t->rig.k.loops))
			fail_msg("%s: %s", b->spec, err.text);
		rig_done(&t->rig);
		return false;
	}
	/* What is kept cannot be read without power, and so nothing is shown. */
	if (b->dbroot && sim_power_is_cut(t->rig.k.loops)) {
		assert_int_equal(backstore_close(bs, RIG_WAIT_NS), 0);
		rig_done(&t->rig);
		return false;
	}
	t->rig.serial = b->dbroot ? SIM_SERIAL : NULL;
	t->lu = rig_add_disk(&t->rig, 0, bs);
	assert_int_equal(entity_new(t->rig.eng, &t->entity), 0);
	if (target_new(t->entity, SIM_TARGET, &t->target, &err) ||
		tpg_new(t->target, 1, &t->tpg, &err) || port_lun_add(t->tpg->port, 0, &pl, &err) ||
		port_lun_link(pl, t->lu, "link", &err))
		fail_msg("%s", err.text);
	t->tpg->attribs.authentication = 0;
	t->tpg->port->generate_node_acls = 1;
	t->tpg->port->demo_mode_write_protect = 0;
	t->tpg->keys.auth_method = AUTH_METHOD_CHAP | AUTH_METHOD_NONE;
	t->tpg->keys.initial_r2t = false;
	t->tpg->keys.immediate_data = true;
	t->tpg->keys.max_outstanding_r2t = 8;
	t->tpg->keys.max_connections = 8;
	t->tpg->keys.max_recv_data_segment_length = b->recv;
	if (portal_new(t->tpg, "127.0.0.1:3260", &t->portal, &err) ||
		tpg_enable(t->tpg, true, &err))
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < DISK_BLOCKS; i++)
		t->model.n[i] = 1;
	return true;
}

void sim_target_init(struct sim_target *t, uint64_t seed, const char *spec, uint32_t recv)
{
	struct sim_boot b = { .seed = seed, .spec = spec, .recv = recv };

	assert_true(sim_target_boot(t, &b));
}

void sim_target_done(struct sim_target *t)
{
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	if (entity_stop(t->entity, RIG_WAIT_NS))
		fail_msg("connections do not end");
	pl = port_lun_find(t->tpg->port, 0);
	if (tpg_enable(t->tpg, false, &err) || portal_free(t->portal, &err) ||
		port_lun_unlink(pl, &err) || port_lun_remove(pl, &err) || tpg_free(t->tpg, &err) ||
		target_free(t->target, &err))
		fail_msg("%s", err.text);
	entity_free(t->entity);
	rig_remove(&t->rig, 0);
	rig_done(&t->rig);
}
