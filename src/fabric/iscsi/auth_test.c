/* SPDX-License-Identifier: BSD-3-Clause */
/* auth_test.c: accounts, choice of algorithms, secrets in files, by the tree. */
#include <sys/stat.h>
#include <unistd.h>

#include "fabric/iscsi/rows_testkit.h"

/* What a login at the ACL of INI is judged by. */
static struct chap_auth judged_by(void)
{
	struct acl *acl = node_obj(at(TPG "/acls/" INI));
	struct chap_auth auth;

	auth_copy(&((struct node_data *)acl->fabric_data)->auth, &auth);
	return auth;
}

/* Accounts beside the general one come and go, and logins see them at once. */
static void accounts(void **state)
{
	struct chap_auth auth;
	char name[16];

	MKDIR(TPG "/acls/" INI);
	MKDIR(TPG "/acls/" INI "/auth/users/alice");
	assert_int_equal(try_mkdir(TPG "/acls/" INI "/auth/users/alice"), -EEXIST);
	auth = judged_by();
	assert_false(chap_auth_usable(&auth)); /* an account without a secret */
	chap_auth_done(&auth);
	SET(TPG "/acls/" INI "/auth/users/alice/password", "alice's secret");
	SET(TPG "/acls/" INI "/auth/users/alice/password_next", "her next secret");
	MKDIR(TPG "/acls/" INI "/auth/users/bob");
	auth = judged_by();
	assert_true(chap_auth_usable(&auth));
	assert_int_equal(auth.more->n, 2);
	assert_string_equal(auth.more->v[0].userid, "alice");
	assert_string_equal(auth.more->v[0].password_next, "her next secret");
	/* A login under way keeps what it has; the next one sees the change. */
	RMDIR(TPG "/acls/" INI "/auth/users/alice");
	assert_string_equal(auth.more->v[0].password, "alice's secret");
	chap_auth_done(&auth);
	auth = judged_by();
	assert_int_equal(auth.more->n, 1);
	assert_string_equal(auth.more->v[0].userid, "bob");
	chap_auth_done(&auth);
	assert_int_equal(try_rmdir(TPG "/acls/" INI), -ENOTEMPTY);
	for (unsigned i = 1; i < AUTH_USERS_MAX; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		assert_int_equal(
			tree_mkdir(t, at(TPG "/acls/" INI "/auth/users"), name, NULL, NULL), 0);
	}
	assert_int_equal(try_mkdir(TPG "/acls/" INI "/auth/users/more"), -ENOSPC);
	assert_int_equal(tree_clear(t, at(TPG "/acls/" INI), NULL), 0);
	auth = judged_by();
	assert_null(auth.more);
	chap_auth_done(&auth);
}

/* Ten thousand targets have ten thousand general accounts, and few of them are ever filled in. */
static void empty_accounts(void **state)
{
	const struct auth_user *own;
	struct chap_auth auth;

	MKDIR(TPG "/acls/" INI);
	own = &((struct node_data *)((struct acl *)node_obj(at(TPG "/acls/" INI)))->fabric_data)
		       ->auth.own;
	SET(TPG "/acls/" INI "/auth/userid", "");
	is(TPG "/acls/" INI "/auth/userid", "");
	is(TPG "/acls/" INI "/auth/authenticate_target", "0");
	assert_null(own->values);
	auth = judged_by();
	assert_string_equal(auth.user.userid, "");
	assert_string_equal(auth.user.password_mutual, "");
	chap_auth_done(&auth);
	SET(TPG "/acls/" INI "/auth/password", "secret of twelve");
	auth = judged_by();
	assert_string_equal(auth.user.password, "secret of twelve");
	chap_auth_done(&auth);
}

static void algorithms(void **state)
{
	MKDIR(TPG "/acls/" INI);
	is(TPG "/auth/algorithms", "");
	is("/iscsi/chap_algorithms", "");
	SET("/iscsi/chap_algorithms", "8,SHA256");
	is("/iscsi/chap_algorithms", "SHA3-256,SHA256");
	SET(TPG "/acls/" INI "/auth/algorithms", "SHA1");
	is(TPG "/acls/" INI "/auth/algorithms", "SHA1");
	assert_int_equal(try_set(TPG "/auth/algorithms", "MD4"), -EINVAL);
	assert_int_equal(try_set("/iscsi/discovery_auth/algorithms", "MD5,MD5"), -EINVAL);
	SET("/iscsi/chap_algorithms", "");
	is("/iscsi/chap_algorithms", "");
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void count_failed(const char *source, const char *why, void *arg)
{
	assert_non_null(strstr(why, source));
	++*(unsigned *)arg;
}

/* Secrets in files and credentials: read at once, and again when asked to; never shown. */
static void secret_files(void **state)
{
	char dir[] = "/tmp/ulio-rows.XXXXXX", path[64], source[80];
	unsigned changed = 9, failed = 0;
	struct chap_auth auth;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/secret", dir);
	put_file(path, "the first secret\r\nrest\n");
	SET(TPG "/auth/password", "given as a value");
	SET(TPG "/auth/userid", "u");
	assert_int_equal(try_set(TPG "/auth/password_file", path), 0);
	is(TPG "/auth/password_file", path);
	is(TPG "/auth/password", "");
	auth_copy(&((struct tpg *)node_obj(at(TPG)))->auth, &auth);
	assert_string_equal(auth.user.password, "the first secret");
	assert_int_equal(auth_refresh(entity, &changed, count_failed, &failed), 1);
	assert_int_equal(changed, 0);
	put_file(path, "the second secret");
	assert_int_equal(auth_refresh(entity, &changed, count_failed, &failed), 1);
	assert_int_equal(changed, 1);
	auth_copy(&((struct tpg *)node_obj(at(TPG)))->auth, &auth);
	assert_string_equal(auth.user.password, "the second secret");
	/* What cannot be read is told, and changes nothing. */
	unlink(path);
	assert_int_equal(auth_refresh(entity, &changed, count_failed, &failed), 0);
	assert_int_equal(failed, 1);
	auth_copy(&((struct tpg *)node_obj(at(TPG)))->auth, &auth);
	assert_string_equal(auth.user.password, "the second secret");
	assert_int_equal(try_set(TPG "/auth/password_next_file", path), -ENOENT);
	is(TPG "/auth/password_next_file", "");
	/* A credential of systemd. */
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	put_file(path, "a credential's secret");
	SET(TPG "/auth/password_next_file", "credential:secret");
	assert_int_equal(try_set(TPG "/auth/password_next_file", "credential:../secret"), -EINVAL);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(try_set(TPG "/auth/password_next_file", "credential:secret"), -ENOENT);
	/* Not what could block, is empty, too long, or no absolute path. */
	assert_int_equal(try_set(TPG "/auth/password_file", "secret"), -EINVAL);
	assert_int_equal(try_set(TPG "/auth/password_file", dir), -EINVAL);
	snprintf(source, sizeof(source), "%s/pipe", dir);
	assert_int_equal(mkfifo(source, 0600), 0);
	assert_int_equal(try_set(TPG "/auth/password_file", source), -EINVAL);
	unlink(source);
	put_file(path, "\nsecret");
	assert_int_equal(try_set(TPG "/auth/password_file", path), -EINVAL);
	/* A value ends the reading. */
	SET(TPG "/auth/password", "a value again");
	is(TPG "/auth/password_file", "");
	SET(TPG "/auth/password_next_file", "");
	assert_int_equal(auth_refresh(entity, &changed, count_failed, &failed), 0);
	unlink(path);
	rmdir(dir);
}

/* CHAP secrets are bytes (RFC 1994 4.1), what is saved is text: others come from a file. */
static void secret_bytes(void **state)
{
	static const char *const secrets[] = { "password", "password_next", "password_mutual" };
	static const char raw[] = "\xff\xfe twelve \xc3";
	char dir[] = "/tmp/ulio-rows.XXXXXX", path[64], attr[200], source[200];
	struct errmsg err = { 0 };
	struct chap_auth auth;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/secret", dir);
	put_file(path, raw);
	for (int i = 0; i < 3; i++) {
		snprintf(attr, sizeof(attr), TPG "/auth/%s", secrets[i]);
		snprintf(source, sizeof(source), TPG "/auth/%s_file", secrets[i]);
		assert_int_equal(try_set(attr, "zw\xc3\xb6lf Byte lang"), 0);
		assert_int_equal(tree_set(t, at(TPG "/auth"), secrets[i], raw, &err), -EINVAL);
		assert_non_null(strstr(err.text, "UTF-8"));
		assert_non_null(strstr(err.text, strrchr(source, '/') + 1)); /* the cure */
		assert_null(strstr(err.text, "twelve"));
		/* It was refused as a whole. */
		is(attr, "zw\xc3\xb6lf Byte lang");
		assert_int_equal(try_set(source, path), 0);
		is(attr, "");
	}
	assert_int_equal(try_set(TPG "/auth/userid", raw), -EINVAL);
	assert_int_equal(try_set(TPG "/auth/userid_mutual", raw), -EINVAL);
	auth_copy(&((struct tpg *)node_obj(at(TPG)))->auth, &auth);
	assert_string_equal(auth.user.password, raw);
	assert_string_equal(auth.user.password_next, raw);
	assert_string_equal(auth.user.password_mutual, raw);
	/* What came by a source keeps it. */
	assert_int_equal(auth_promote(node_obj(at(TPG "/auth")), NULL), 0);
	is(TPG "/auth/password", "");
	is(TPG "/auth/password_file", path);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(accounts),
		CASE(empty_accounts),
		CASE(algorithms),
		CASE(secret_files),
		CASE(secret_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
