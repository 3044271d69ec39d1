/* A QEMU plugin that counts the instructions of a program: benchmarks/arm.py compiles and loads it. The few lines of QEMU's interface that it needs are declared here,
   since Debian ships QEMU without the header. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define EXPORT __attribute__((visibility("default")))
typedef uint64_t id_t_;
struct qemu_plugin_tb;
typedef void (*translated)(id_t_, struct qemu_plugin_tb *);
typedef void (*executed)(unsigned, void *);
typedef void (*ended)(id_t_, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(id_t_, translated);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed, int, void *);
extern void qemu_plugin_register_atexit_cb(id_t_, ended, void *);
extern void qemu_plugin_outs(const char *);

EXPORT int qemu_plugin_version = 1;
static uint64_t count;
static void on_run(unsigned cpu, void *n) { (void)cpu; count += (uintptr_t)n; }
static void on_block(id_t_ id, struct qemu_plugin_tb *tb) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb));
}
static void on_end(id_t_ id, void *p) {
  char said[40];
  (void)id; (void)p;
  snprintf(said, sizeof said, "instructions %llu\n", (unsigned long long)count);
  qemu_plugin_outs(said);
}
EXPORT int qemu_plugin_install(id_t_ id, const void *info, int argc, char **argv) {
  (void)info; (void)argc; (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
  qemu_plugin_register_atexit_cb(id, on_end, NULL);
  return 0;
}
